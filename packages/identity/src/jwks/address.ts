/** Whether keys can be fetched from an address: https, without credentials and fragment. */
export function isKeySetAddress(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "https:" && url.username === "" && url.password === "" && !text.includes("#");
}
