export function bad(text: string): unknown {
  // ruleid: strict-json-only
  return JSON.parse(text);
}
export async function alsoBad(response: Response): Promise<unknown> {
  // ruleid: strict-json-only
  return await response.json();
}
export function copy(value: object): unknown {
  // ok: strict-json-only
  return JSON.parse(JSON.stringify(value));
}
export function good(text: string): unknown {
  // ok: strict-json-only
  return parseJsonText(text);
}
