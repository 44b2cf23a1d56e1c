import { CmcpError, examine } from "@cmcp/boundary";
import type { IncomingExchange } from "@cmcp/wire";
import { NOTE_BYTES } from "../store/log-store.ts";
import type { Cosigner } from "./cosigner.ts";

/**
 * Serves a `cosign`: status 200, then the signature lines over the note of the body. They may fall short of a quorum: the enclave looks.
 *
 * @throws CmcpError `WITNESS_UNAVAILABLE` if this host has no witnesses, `NOTE_MALFORMED` for a note that is not a checkpoint of the log
 */
export async function serveCosign(
  cosigner: Pick<Cosigner, "cosign"> | undefined,
  exchange: IncomingExchange,
): Promise<void> {
  if (cosigner === undefined) throw new CmcpError("WITNESS_UNAVAILABLE", "the host has no witnesses");
  const { lines } = await cosigner.cosign(await readNote(exchange));
  await exchange.respond({ status: 200, headers: {} });
  await exchange.write(Buffer.from(lines));
  await exchange.end();
}

async function readNote({ body }: IncomingExchange): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    const chunk = examine(part);
    length += chunk.length;
    if (length > NOTE_BYTES) throw new CmcpError("NOTE_MALFORMED", `a note has at most ${NOTE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
