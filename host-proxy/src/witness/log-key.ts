/**
 * The log's key: it signs every head beside the enclave's key, and witnesses know the log by it. Whoever has it can block
 * the log, as the host can, and cannot make a head that anybody believes.
 */
import { createPrivateKey, createPublicKey, randomBytes, sign, type KeyObject } from "node:crypto";
import { link, open, readFile, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { asCmcpError, CmcpError, fromBase64, fromBase64Url, toBase64 } from "@cmcp/boundary";
import { formatSignature, isKeyName, SIGNATURE_TYPE, verifierKey, type VerifierKey } from "@cmcp/log";

/** Bytes of an Ed25519 private key (RFC 8032 section 5.1.5). */
const SEED_BYTES = 32;

/** Largest file of a key: its name has at most 255 bytes, and the rest fewer than 100. */
const MAX_KEY_FILE_BYTES = 512;

/** How a signer's key begins in the files of `golang.org/x/mod/sumdb/note`. */
const PREFIX = "PRIVATE+KEY+";

/** How a PKCS #8 file of an Ed25519 key begins (RFC 8410 section 7). */
const PKCS8 = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]);

/** Signs heads of one log. */
export class LogKey {
  /** Its name is the log's origin. Witnesses are configured with it. */
  readonly verifierKey: VerifierKey;
  readonly #privateKey: KeyObject;

  /** @param seed 32 bytes, the private key */
  constructor(origin: string, seed: Uint8Array) {
    this.#privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
    const { x = "" } = createPublicKey(this.#privateKey).export({ format: "jwk" });
    this.verifierKey = verifierKey(origin, SIGNATURE_TYPE.ed25519, fromBase64Url(x) ?? new Uint8Array());
  }

  /** The signature line of this key over a note's text. */
  signatureLine(text: string): string {
    const { name, id } = this.verifierKey;
    return formatSignature({
      name,
      keyId: id,
      signature: sign(null, new TextEncoder().encode(text), this.#privateKey),
    });
  }
}

/**
 * Reads the key of a log, and makes one where there is no file. The file is a signer's key as
 * `golang.org/x/mod/sumdb/note` writes it, for its owner alone.
 *
 * @param origin the log's, from the configuration
 * @throws CmcpError `LOG_KEY_INVALID` for a file of another form, of another log, or that others may read;
 *   `CONFIG_INVALID` for an origin that cannot name a key
 */
export async function openLogKey(path: string, origin: string): Promise<LogKey> {
  if (!isKeyName(origin))
    throw new CmcpError("CONFIG_INVALID", "the log's origin has a space, a plus or too many bytes");
  try {
    return await readLogKey(path, origin).catch(async (thrown: unknown) => {
      if (!hasCode(thrown, "ENOENT")) throw thrown;
      await createLogKey(path, origin);
      return await readLogKey(path, origin);
    });
  } catch (thrown) {
    throw asCmcpError(thrown, "LOG_KEY_INVALID", `${path}: the log's key can be neither read nor made`);
  }
}

async function readLogKey(path: string, origin: string): Promise<LogKey> {
  const found = await stat(path);
  if ((found.mode & 0o077) !== 0) throw invalid(path, "others than its owner may use it");
  if (!found.isFile() || found.size > MAX_KEY_FILE_BYTES) throw invalid(path, "it is not a key");
  return parseSignerKey(path, await readFile(path, "utf8"), origin);
}

function parseSignerKey(path: string, text: string, origin: string): LogKey {
  const [name = "", id = "", ...rest] = text.startsWith(PREFIX) ? text.slice(PREFIX.length).split("+") : [];
  const bytes = fromBase64(rest.join("+").replace(/\n$/, ""));
  if (bytes?.length !== 1 + SEED_BYTES || bytes[0] !== SIGNATURE_TYPE.ed25519) throw invalid(path, "it is not a key");
  if (name !== origin) throw invalid(path, "it is the key of another log");
  const key = new LogKey(origin, bytes.subarray(1));
  if (idText(key.verifierKey) !== id) throw invalid(path, "its id is not that of its name and key");
  return key;
}

function idText({ id }: VerifierKey): string {
  return id.toString(16).padStart(8, "0");
}

/** Writes a new key, whole or not at all. A file that another process made in the meantime stays. */
async function createLogKey(path: string, origin: string): Promise<void> {
  const seed = randomBytes(SEED_BYTES);
  const id = idText(new LogKey(origin, seed).verifierKey);
  const text = `${PREFIX}${origin}+${id}+${toBase64(Uint8Array.of(SIGNATURE_TYPE.ed25519, ...seed))}\n`;
  const unfinished = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(unfinished, "wx", 0o600);
  try {
    await writeDurably(file, text);
    await link(unfinished, path);
  } catch (thrown) {
    if (!hasCode(thrown, "EEXIST")) throw thrown;
  } finally {
    await unlink(unfinished);
  }
  await syncFolder(dirname(path));
}

async function writeDurably(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}

function invalid(path: string, why: string): CmcpError {
  return new CmcpError("LOG_KEY_INVALID", `${path}: ${why}`);
}
