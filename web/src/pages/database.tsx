export function Database({ name }: { name: string }) {
  return <h1>Database {name}</h1>;
}
