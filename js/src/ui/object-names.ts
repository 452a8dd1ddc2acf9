/** What an object is called; where two share a name, the number says which of them is meant. Pure. */

interface Named {
  id: number;
  name: string;
}

export function nameAmong(id: number, objects: readonly Named[]): string {
  const named = objects.find((object) => object.id === id);
  if (!named) return `object ${id}`;
  const shared = objects.some((object) => object.id !== id && object.name === named.name);
  return shared ? `${id} ${named.name}` : named.name;
}
