/** GUIDs of the GHCB specification (56421), section 8.1. */
export const GUID = {
  vcek: "63da758d-e664-4564-adc5-f4b93be8accd",
  vlek: "a8074bc2-a25a-483e-aae6-39c045a0b8a1",
  ask: "4ab7b379-bbac-4fe4-a02f-05aef327c782",
  ark: "c0b406a4-a803-4952-9743-3fb6014cd0ae",
} as const;

/** A table as a host lays it out: entries of GUID, offset and length, a zero entry, then the certificates. */
export function certificateTable(certificates: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const rows = Buffer.alloc((certificates.length + 1) * 24);
  let offset = rows.length;
  for (const [index, [guid, certificate]] of certificates.entries()) {
    rows.write(guid.replaceAll("-", ""), index * 24, "hex");
    rows.writeUInt32LE(offset, index * 24 + 16);
    rows.writeUInt32LE(certificate.length, index * 24 + 20);
    offset += certificate.length;
  }
  return new Uint8Array(Buffer.concat([rows, ...certificates.map(([, certificate]) => certificate)]));
}
