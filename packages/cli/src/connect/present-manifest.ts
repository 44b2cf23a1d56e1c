import { isJsonObject, parseJson, receivedError, untrusted } from "@cmcp/boundary";
import type { Connection } from "@cmcp/client";
import { readSmallFile } from "../read-file.ts";
import { notAGateway } from "../session/gateway-client.ts";

/** Largest answer in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Presents an agent manifest under the seal.
 * @throws CmcpError the gateway's own, such as `AGENT_MANIFEST_BINDING_FAILED`; `USAGE` for a file that cannot be read
 */
export async function presentManifest(
  path: string,
  {
    connection,
    gateway,
    token,
  }: { readonly connection: Connection; readonly gateway: URL; readonly token: string | null },
): Promise<void> {
  const response = await connection.fetch(new URL("manifest", gateway), {
    method: "POST",
    body: await readSmallFile(path),
    headers: {
      "content-type": "application/octet-stream",
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status === 200) return;
  const answer = parseJson(untrusted(bytes), { maxBytes: MAX_ANSWER_BYTES, maxDepth: 8, maxItems: 100 });
  throw (
    (isJsonObject(answer) ? receivedError(answer) : null) ??
    notAGateway(gateway.href, `with status ${response.status} and no error of its own`)
  );
}
