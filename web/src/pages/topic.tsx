export function Topic({ name }: { name: string }) {
  return <h1>Topic {name}</h1>;
}
