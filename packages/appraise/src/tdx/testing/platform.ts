import { createHash, createSign, webcrypto } from "node:crypto";
import {
  CA_USES,
  ecKeys,
  extension,
  issue,
  issueList,
  SIGNS_DATA,
  type CertificateOptions,
  type Issued,
  type ListOptions,
} from "../../testing/authority.ts";
import { Certificate } from "../../x509/certificate.ts";
import { INTEL_TD_QE_MRSIGNER } from "../anchors.ts";
import { SGX_EXTENSION } from "../pck.ts";

/**
 * A platform of our own making, with keys in hand, for what no genuine evidence shows. Examples are a status that
 * Intel gave no platform of the corpus, a PCK that signs collateral, and an identity of another enclave. The genuine
 * corpus is what the layouts are held against, not this.
 */

const concat = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.concat(parts));
const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >> 8);
const u32 = (value: number): Uint8Array => concat(u16(value & 0xffff), u16(value >>> 16));

const der = (tag: number, content: Uint8Array): Uint8Array =>
  concat(
    content.length < 0x80
      ? Uint8Array.of(tag, content.length)
      : Uint8Array.of(tag, 0x82, content.length >> 8, content.length & 0xff),
    content,
  );
const oid = (...last: readonly number[]): Uint8Array =>
  der(0x06, concat(Buffer.from("2a864886f84d010d01", "hex"), Uint8Array.from(last)));
const integer = (value: number): Uint8Array =>
  der(0x02, value < 0x80 ? Uint8Array.of(value) : Uint8Array.of(value >> 8, value & 0xff));
const field = (last: readonly number[], value: Uint8Array): Uint8Array => der(0x30, concat(oid(...last), value));

/** What a PCK certificate's SGX extension is to say. */
export interface SgxOptions {
  readonly components?: readonly number[];
  readonly pceSvn?: number;
  readonly pceId?: Uint8Array;
  readonly fmspc?: Uint8Array;
  /** More fields behind the others. */
  readonly extra?: readonly Uint8Array[];
}

export const FMSPC = Uint8Array.of(0xaa, 0xbb, 0xcc, 0, 0, 1);

/** Content of an SGX extension (SGX PCK Certificate and CRL Profile, section 1.3.5). */
export function sgxExtension({
  components = Array.from({ length: 16 }, () => 5),
  pceSvn = 11,
  pceId = Uint8Array.of(0, 0),
  fmspc = FMSPC,
  extra = [],
}: SgxOptions = {}): Uint8Array {
  const svns = components.map((svn, index) => field([2, index + 1], integer(svn)));
  const tcb = der(
    0x30,
    concat(...svns, field([2, 17], integer(pceSvn)), field([2, 18], der(0x04, Uint8Array.from(components)))),
  );
  return der(
    0x30,
    concat(
      field([1], der(0x04, new Uint8Array(16))),
      field([2], tcb),
      field([3], der(0x04, pceId)),
      field([4], der(0x04, fmspc)),
      ...extra,
    ),
  );
}

/** A field of the SGX extension by its last arcs, with an OCTET STRING; a sound one has one. */
export const sgxOctets = (last: readonly number[], ...values: readonly Uint8Array[]): Uint8Array =>
  field(last, concat(...values.map((bytes) => der(0x04, bytes))));

const CA: Partial<CertificateOptions> = { ca: true, uses: CA_USES };
const ROOT_NAME = "CN=Intel SGX Root CA";
const p256 = (): ReturnType<typeof ecKeys> => ecKeys("P-256");

export const root = await issue({ subject: ROOT_NAME, ...CA, keys: await p256() });
export const platformCa = await issue(
  { subject: "CN=Intel SGX PCK Platform CA", serial: "02", ...CA, pathLength: 0, keys: await p256() },
  root,
);
export const tcbSigner = await issue(
  { subject: "CN=Intel SGX TCB Signing", serial: "03", ca: false, uses: SIGNS_DATA, keys: await p256() },
  root,
);

export async function issuePck(
  sgx: Uint8Array = sgxExtension(),
  options: Partial<CertificateOptions> = {},
): Promise<Issued> {
  return issue(
    {
      subject: "CN=Intel SGX PCK Certificate",
      serial: "04",
      ca: false,
      uses: SIGNS_DATA,
      keys: await p256(),
      extensions: [extension(SGX_EXTENSION, false, sgx)],
      ...options,
    },
    platformCa,
  );
}

export const pck = await issuePck();

/** SHA-256 of the test root's key, for a policy's `trust_anchors`. */
export const ROOT_KEY_SHA256 = createHash("sha256").update(Certificate.parse(root.der).spki).digest("hex");

export function pem(...certificates: readonly Issued[]): string {
  return certificates
    .map(
      (one) =>
        `-----BEGIN CERTIFICATE-----\n${Buffer.from(one.der)
          .toString("base64")
          .replaceAll(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE-----\n`,
    )
    .join("");
}

async function sign(keys: webcrypto.CryptoKeyPair, bytes: Uint8Array): Promise<Uint8Array> {
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return createSign("sha256").update(bytes).sign({ key, format: "der", type: "pkcs8", dsaEncoding: "ieee-p1363" });
}

/** What a quote is to be; what is left out is as a sound one of TDX 1.0 has it. */
export interface QuoteOptions {
  readonly version?: 4 | 5;
  /** Body type of version 5: 2 for TDX 1.0, 3 for 1.5. */
  readonly bodyType?: number;
  /** Bytes of the TD report by offset. */
  readonly body?: Readonly<Record<number, Uint8Array>>;
  /** Bytes of the quoting enclave's report by offset. */
  readonly qe?: Readonly<Record<number, Uint8Array>>;
  readonly pck?: Issued;
  /** Certification data: type and content; the PCK chain unless said otherwise. */
  readonly certification?: { readonly type: number; readonly data: Uint8Array };
  readonly header?: Readonly<Record<number, Uint8Array>>;
}

function overlay(length: number, ...layers: readonly (Readonly<Record<number, Uint8Array>> | undefined)[]): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const layer of layers)
    for (const [offset, value] of Object.entries(layer ?? {})) bytes.set(value, Number(offset));
  return bytes;
}

/** TD report of a sound TD: module TDX_01 version 6, SEPT_VE_DISABLE, x87 and SSE and AVX. */
const SOUND_BODY = {
  0: Uint8Array.of(6, 1, 5),
  120: Uint8Array.of(0, 0, 0, 0x10),
  128: Uint8Array.of(0xe7),
  136: new Uint8Array(48).fill(0x11),
} as const;
const SOUND_QE = {
  48: Uint8Array.of(0x11),
  128: Uint8Array.from(Buffer.from(INTEL_TD_QE_MRSIGNER, "hex")),
  256: u16(2),
  258: u16(6),
} as const;

export async function makeQuote(options: QuoteOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { version = 4, bodyType = 2, pck: signer = pck } = options;
  const header = overlay(
    48,
    {
      0: u16(version),
      2: u16(2),
      4: u32(0x81),
      12: Uint8Array.from(Buffer.from("939a7233f79c4ca9940a0db3957f0607", "hex")),
    },
    options.header,
  );
  const body = overlay(
    version === 5 && bodyType === 3 ? 648 : 584,
    SOUND_BODY,
    version === 5 && bodyType === 3 ? { 584: Uint8Array.of(6, 1, 5) } : {},
    options.body,
  );
  const signed = version === 5 ? concat(header, u16(bodyType), u32(body.length), body) : concat(header, body);
  const attestation = await p256();
  const point = new Uint8Array(await webcrypto.subtle.exportKey("raw", attestation.publicKey)).subarray(1);
  const authentication = new Uint8Array(32).fill(7);
  const qe = overlay(
    384,
    SOUND_QE,
    { 320: Uint8Array.from(createHash("sha256").update(point).update(authentication).digest()) },
    options.qe,
  );
  const { type, data } = options.certification ?? { type: 5, data: Buffer.from(pem(signer, platformCa, root)) };
  const certification = concat(
    qe,
    await sign(signer.keys, qe),
    u16(authentication.length),
    authentication,
    u16(type),
    u32(data.length),
    data,
  );
  const signatureData = concat(
    await sign(attestation, signed),
    point,
    u16(6),
    u32(certification.length),
    certification,
  );
  return concat(signed, u32(signatureData.length), signatureData);
}

const ISSUED = "2025-12-15T00:00:00Z";
const NEXT = "2026-01-14T00:00:00Z";
const NO_SIGNER = "0".repeat(96);
const svns = (...first: readonly number[]): object[] =>
  Array.from({ length: 16 }, (_, index) => ({ svn: first[index] ?? 0 }));

/** One TCB level: SGX components all alike, PCESVN, TDX components, status and date. */
export function level(
  [sgx, pcesvn, tdx]: readonly [sgx: number, pcesvn: number, tdx: readonly number[]],
  tcbStatus: string,
  tcbDate = "2025-01-01T00:00:00Z",
  advisoryIDs: readonly string[] = [],
): object {
  return {
    tcb: { sgxtcbcomponents: svns(...Array.from({ length: 16 }, () => sgx)), pcesvn, tdxtcbcomponents: svns(...tdx) },
    tcbDate,
    tcbStatus,
    advisoryIDs,
  };
}

export function moduleLevel(
  isvsvn: number,
  tcbStatus: string,
  tcbDate = "2025-01-01T00:00:00Z",
  advisoryIDs: readonly string[] = [],
): object {
  return { tcb: { isvsvn }, tcbDate, tcbStatus, advisoryIDs };
}

export function moduleIdentity(id: string, tcbLevels: readonly object[], other: object = {}): object {
  return { id, mrsigner: NO_SIGNER, attributes: "0".repeat(16), attributesMask: "F".repeat(16), tcbLevels, ...other };
}

/** A TCB info the sound platform is up to date by. */
export function tcbInfo(other: object = {}): object {
  return {
    id: "TDX",
    version: 3,
    issueDate: ISSUED,
    nextUpdate: NEXT,
    fmspc: "AABBCC000001",
    pceId: "0000",
    tcbType: 0,
    tcbEvaluationDataNumber: 20,
    tdxModule: { mrsigner: NO_SIGNER, attributes: "0".repeat(16), attributesMask: "F".repeat(16) },
    tdxModuleIdentities: [
      moduleIdentity("TDX_01", [
        moduleLevel(6, "UpToDate"),
        moduleLevel(4, "OutOfDate", "2024-01-01T00:00:00Z", ["INTEL-SA-00002"]),
      ]),
    ],
    tcbLevels: [
      level([5, 11, [6, 0, 5]], "UpToDate"),
      level([3, 11, [3, 0, 3]], "OutOfDate", "2024-06-01T00:00:00Z", ["INTEL-SA-00001"]),
    ],
    ...other,
  };
}

export function qeIdentity(other: object = {}): object {
  return {
    id: "TD_QE",
    version: 2,
    issueDate: ISSUED,
    nextUpdate: NEXT,
    tcbEvaluationDataNumber: 20,
    miscselect: "00000000",
    miscselectMask: "FFFFFFFF",
    attributes: "11000000000000000000000000000000",
    attributesMask: "FBFFFFFFFFFFFFFF0000000000000000",
    mrsigner: INTEL_TD_QE_MRSIGNER.toUpperCase(),
    isvprodid: 2,
    tcbLevels: [moduleLevel(6, "UpToDate"), moduleLevel(4, "OutOfDate", "2024-01-01T00:00:00Z", ["INTEL-SA-00003"])],
    ...other,
  };
}

/** What a bundle of collateral is to hold; `null` leaves a member out. */
export interface CollateralOptions {
  readonly info?: object | string;
  readonly identity?: object | string;
  readonly infoSigner?: Issued;
  readonly identitySigner?: Issued;
  readonly rootList?: ListOptions;
  readonly pckList?: ListOptions;
  /** Replaces members; `null` leaves one out. */
  readonly members?: Readonly<Record<string, string | null>>;
}

/** Collateral as one JSON object, signed by the test's TCB signer. */
export async function makeCollateral(options: CollateralOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { info = tcbInfo(), identity = qeIdentity(), infoSigner = tcbSigner, identitySigner = tcbSigner } = options;
  const text = (document: object | string): string =>
    typeof document === "string" ? document : JSON.stringify(document);
  const hex = async (signer: Issued, document: string): Promise<string> =>
    Buffer.from(await sign(signer.keys, Buffer.from(document))).toString("hex");
  const members: Record<string, string | null> = {
    pck_crl_issuer_chain: pem(platformCa, root),
    root_ca_crl: Buffer.from(await issueList(root, options.rootList)).toString("hex"),
    pck_crl: Buffer.from(await issueList(platformCa, options.pckList)).toString("hex"),
    tcb_info_issuer_chain: pem(infoSigner, root),
    tcb_info: text(info),
    tcb_info_signature: await hex(infoSigner, text(info)),
    qe_identity_issuer_chain: pem(identitySigner, root),
    qe_identity: text(identity),
    qe_identity_signature: await hex(identitySigner, text(identity)),
    ...options.members,
  };
  return Uint8Array.from(
    Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null)))),
  );
}
