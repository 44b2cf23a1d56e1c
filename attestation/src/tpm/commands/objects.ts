import { ByteReader, CmcpError } from "@cmcp/boundary";
import { COMMAND } from "./codes.ts";
import { readResponse, type Tpm } from "./tpm.ts";
import { CommandWriter } from "./writer.ts";

/** An object in the TPM's memory. */
export interface LoadedObject {
  readonly handle: number;
  /** TPMT_PUBLIC (part 2, section 12.2.4). */
  readonly publicArea: Uint8Array;
}

/** TPM2B_SENSITIVE_CREATE (part 2, section 11.1.16): an empty password and the data to seal, if any. */
function sensitive(data: Uint8Array): Uint8Array {
  return new CommandWriter().sized(new CommandWriter().u16(0).sized(data).done()).done();
}

/** Makes a primary key of a hierarchy (TPM2_CreatePrimary, part 3, section 24.1). @param template TPMT_PUBLIC */
export async function createPrimary(tpm: Tpm, hierarchy: number, template: Uint8Array): Promise<LoadedObject> {
  const parameters = new CommandWriter().bytes(sensitive(new Uint8Array())).sized(template).u16(0).u32(0).done();
  const response = await tpm.run({
    name: "TPM2_CreatePrimary",
    code: COMMAND.createPrimary,
    handles: [hierarchy],
    authorization: "password",
    parameters,
    makesHandle: true,
  });
  return readResponse("TPM2_CreatePrimary", () => {
    const reader = new ByteReader(response.parameters, "TPM2_CreatePrimary", "big");
    return { handle: response.handle, publicArea: reader.take(reader.u16()).slice() };
  });
}

/** The public area of a loaded or persistent object (TPM2_ReadPublic, part 3, section 12.4), as TPMT_PUBLIC. */
export async function readPublic(tpm: Tpm, handle: number): Promise<Uint8Array> {
  const { parameters } = await tpm.run({ name: "TPM2_ReadPublic", code: COMMAND.readPublic, handles: [handle] });
  return readResponse("TPM2_ReadPublic", () => {
    const reader = new ByteReader(parameters, "TPM2_ReadPublic", "big");
    return reader.take(reader.u16()).slice();
  });
}

/** Takes an object or session out of the TPM's memory (TPM2_FlushContext, part 3, section 28.4). */
export async function flush(tpm: Tpm, handle: number): Promise<void> {
  await tpm.run({
    name: "TPM2_FlushContext",
    code: COMMAND.flushContext,
    parameters: new CommandWriter().u32(handle).done(),
  });
}

/** Runs `work` with an object that is in the TPM's memory no longer than that. */
export async function withObject<T>(
  tpm: Tpm,
  make: () => Promise<number>,
  work: (handle: number) => Promise<T>,
): Promise<T> {
  const handle = await make();
  try {
    return await work(handle);
  } finally {
    await flush(tpm, handle);
  }
}

/** An object encrypted to its parent, as it is kept outside the TPM. */
export interface WrappedObject {
  /** TPM2B_PRIVATE without its length. */
  readonly privateArea: Uint8Array;
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
}

/** Seals data under a parent (TPM2_Create, part 3, section 12.1). @param template TPMT_PUBLIC; @param data at most 128 bytes. */
export async function create(tpm: Tpm, parent: number, template: Uint8Array, data: Uint8Array): Promise<WrappedObject> {
  if (data.length > 128) throw new CmcpError("INTERNAL", "a TPM seals at most 128 bytes");
  const parameters = new CommandWriter().bytes(sensitive(data)).sized(template).u16(0).u32(0).done();
  const response = await tpm.run({
    name: "TPM2_Create",
    code: COMMAND.create,
    handles: [parent],
    authorization: "password",
    parameters,
  });
  return readResponse("TPM2_Create", () => {
    const reader = new ByteReader(response.parameters, "TPM2_Create", "big");
    return { privateArea: reader.take(reader.u16()).slice(), publicArea: reader.take(reader.u16()).slice() };
  });
}

/** Loads a wrapped object under its parent and gives its handle (TPM2_Load, part 3, section 12.2). */
export async function load(tpm: Tpm, parent: number, { privateArea, publicArea }: WrappedObject): Promise<number> {
  const parameters = new CommandWriter().sized(privateArea).sized(publicArea).done();
  return (
    await tpm.run({
      name: "TPM2_Load",
      code: COMMAND.load,
      handles: [parent],
      authorization: "password",
      parameters,
      makesHandle: true,
    })
  ).handle;
}

/** The data of a sealed object, opened by a policy session (TPM2_Unseal, part 3, section 12.7). */
export async function unseal(tpm: Tpm, object: number, session: number): Promise<Uint8Array> {
  const { parameters } = await tpm.run({
    name: "TPM2_Unseal",
    code: COMMAND.unseal,
    handles: [object],
    authorization: session,
  });
  return readResponse("TPM2_Unseal", () => {
    const reader = new ByteReader(parameters, "TPM2_Unseal", "big");
    const data = reader.take(reader.u16()).slice();
    reader.end();
    return data;
  });
}
