import { CmcpError } from "@cmcp/boundary";
import { MAX_DOCUMENT_BYTES, REQUEST_MS } from "./limits.ts";

/** A request, as `fetch` takes it. */
export interface HttpInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | URLSearchParams | null;
  readonly redirect?: "manual";
  readonly signal?: AbortSignal | null;
}

/** The only way anything here reaches a network: `fetch`, over connections that its owner opens and authenticates. */
export type Fetch = (url: string, init: HttpInit) => Promise<Response>;

/** Statuses of a response without a body (Fetch standard, "null body status"). */
const NO_BODY: readonly number[] = [101, 103, 204, 205, 304];

function unavailable(what: string, cause?: unknown): CmcpError {
  return new CmcpError("AUTHORIZATION_UNAVAILABLE", `${what} did not answer`, { cause });
}

async function readAtMost(response: Response, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let step = await reader?.read(); step?.value !== undefined; step = await reader?.read()) {
    size += step.value.byteLength;
    if (size > most) {
      await reader?.cancel().catch(() => undefined);
      throw new CmcpError("AUTHORIZATION_METADATA_INVALID", `an answer of ${most} bytes at most was awaited`);
    }
    chunks.push(step.value);
  }
  return Buffer.concat(chunks);
}

/**
 * The same `fetch`, held to a time and a size. No redirect is followed: it would take a secret, or the question who answers, to
 * another server than the one that was asked.
 * @throws CmcpError `AUTHORIZATION_UNAVAILABLE`; `AUTHORIZATION_METADATA_INVALID` for a redirect or a long answer; what `fetch` throws
 */
export function boundedFetch(fetch: Fetch): Fetch {
  return async (url, init) => {
    const expired = AbortSignal.timeout(REQUEST_MS);
    const signal = init.signal == null ? expired : AbortSignal.any([expired, init.signal]);
    const { host } = new URL(url);
    try {
      const response = await fetch(url, { ...init, redirect: "manual", signal });
      const { status, headers } = response;
      if (status >= 300 && status <= 399)
        throw new CmcpError("AUTHORIZATION_METADATA_INVALID", `${host} redirects, and no redirect is followed`);
      const body = await readAtMost(response, MAX_DOCUMENT_BYTES);
      return new Response(NO_BODY.includes(status) ? null : Uint8Array.from(body), { status, headers });
    } catch (thrown) {
      if (thrown instanceof CmcpError) throw thrown;
      throw unavailable(host, thrown);
    }
  };
}
