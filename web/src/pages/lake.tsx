export function Lake({ name }: { name: string }) {
  return <h1>Lake {name}</h1>;
}
