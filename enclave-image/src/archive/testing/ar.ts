/** An `ar` archive as ar(5) describes it. */
export function ar(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const [name, data] of Object.entries(members)) {
    const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(header, "latin1"), data, Buffer.from(data.length % 2 === 0 ? "" : "\n"));
  }
  return new Uint8Array(Buffer.concat(parts));
}
