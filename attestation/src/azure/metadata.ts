import { CmcpError, fromBase64Url, parseJson, toBase64Url, untrusted } from "@cmcp/boundary";
import * as z from "zod";

/** Where Azure's instance metadata service answers: a link-local address of the host's (plain HTTP by design). */
export const METADATA_HOST = "169.254.169.254";
export const METADATA_PORT = 80;

/** Path of the quoting service for TDX. */
const QUOTE_PATH = "/acc/tdquote";
/** Path of the host's cache of AMD certificates (THIM). */
const CERTIFICATION_PATH = "/metadata/THIM/amd/certification";

/** Largest answer taken, in bytes. */
export const MAX_ANSWER_BYTES = 64 * 1024;
const LIMITS = { maxBytes: MAX_ANSWER_BYTES, maxDepth: 4, maxItems: 64 };

export interface MetadataRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
}

/** Sends one request to {@link METADATA_HOST} and refuses an answer of more than {@link MAX_ANSWER_BYTES}. */
export type MetadataService = (
  request: MetadataRequest,
) => Promise<{ readonly status: number; readonly body: Uint8Array }>;

const quoteAnswer = z.object({ quote: z.string().min(1) });
const certificationAnswer = z.object({ vcekCert: z.string().min(1), certificateChain: z.string().min(1) });

/**
 * The TDX quote over a TDREPORT, from the host's quoting service. The host could hand out any; its signatures tell.
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function fetchTdQuote(ask: MetadataService, tdReport: Uint8Array): Promise<Uint8Array> {
  const body = new TextEncoder().encode(JSON.stringify({ report: toBase64Url(tdReport) }));
  const { quote } = await answer(
    ask,
    { method: "POST", path: QUOTE_PATH, headers: { "content-type": "application/json" }, body },
    quoteAnswer,
    "TDX quote",
  );
  const bytes = fromBase64Url(quote.replaceAll("=", ""));
  if (bytes === undefined) throw unavailable("TDX quote", "not base64url");
  return bytes;
}

/**
 * The PEM certificates of the chip's VCEK and of AMD above it, from the host's cache.
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function fetchAmdCertificates(ask: MetadataService): Promise<Uint8Array[]> {
  const found = await answer(
    ask,
    { method: "GET", path: CERTIFICATION_PATH, headers: { Metadata: "true" }, body: null },
    certificationAnswer,
    "AMD certificates",
  );
  return [found.vcekCert, found.certificateChain].map((pem) => new TextEncoder().encode(pem));
}

async function answer<T>(
  ask: MetadataService,
  request: MetadataRequest,
  shape: z.ZodType<T>,
  what: string,
): Promise<T> {
  const { status, body } = await ask(request);
  if (status !== 200) throw unavailable(what, `status ${status}`);
  let value: unknown;
  try {
    value = parseJson(untrusted(body), LIMITS);
  } catch (thrown) {
    throw new CmcpError(
      "ATTESTATION_REPORT_UNAVAILABLE",
      `the instance metadata service's answer about the ${what} is no JSON`,
      { cause: thrown },
    );
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw unavailable(what, "an answer of another form");
  return parsed.data;
}

function unavailable(what: string, why: string): CmcpError {
  return new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `the instance metadata service has no usable ${what}: ${why}`);
}
