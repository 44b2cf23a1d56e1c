export function bad(target: object, text: string): void {
  // ruleid: no-prototype-writes
  Object.assign(target, JSON.parse(text));
  // ruleid: no-prototype-writes
  target.__proto__ = {};
}
export function good(text: string): object {
  // ok: no-prototype-writes
  return { ...JSON.parse(text) };
}
