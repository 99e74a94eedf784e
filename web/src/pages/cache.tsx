export function Cache() {
  return <h1>Cache</h1>;
}
