export function Views({ name }: { name: string }) {
  return <h1>Views {name}</h1>;
}
