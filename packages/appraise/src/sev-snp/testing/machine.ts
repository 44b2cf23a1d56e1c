import { createHash, webcrypto } from "node:crypto";
import { CA_USES, extension, issue, NOW, type Issued } from "../../testing/authority.ts";
import { sevSnpPolicySchema, type SevSnpPolicy } from "../policy.ts";
import { verifySevSnp, type SnpInput } from "../verify.ts";

/**
 * A machine of our own making, so that every field can have every value. Its root, signing and endorsement keys are
 * test keys. Its reports are laid out here from the tables of AMD 56860 and not with the parser under test.
 */

export const ORGANISATION = "O=Advanced Micro Devices";
const CHIP_ID = Uint8Array.from({ length: 64 }, (_, index) => index + 1);

type Product = "Milan" | "Genoa" | "Turin";
export type Tcb = Readonly<Record<"bootloader" | "tee" | "snp" | "microcode", number>> & { readonly fmc?: number };

export const TCB: Readonly<Record<Product, Tcb>> = {
  Milan: { bootloader: 4, tee: 0, snp: 24, microcode: 219 },
  Genoa: { bootloader: 10, tee: 0, snp: 23, microcode: 84 },
  Turin: { fmc: 0, bootloader: 1, tee: 0, snp: 2, microcode: 71 },
};

/** What the certificate of the endorsement key is to say. */
export interface KeyOptions {
  readonly product?: Product;
  readonly kind?: "VCEK" | "VLEK";
  readonly tcb?: Tcb;
  readonly productName?: string;
  readonly hwId?: Uint8Array;
  readonly wrapHwId?: boolean;
  readonly cspId?: string;
  readonly subject?: string;
  readonly signedBy?: "VCEK" | "VLEK";
  readonly without?: string;
  readonly serial?: string;
  readonly keys?: webcrypto.CryptoKeyPair;
  readonly extra?: readonly (readonly [string, Uint8Array])[];
}

const AMD = "1.3.6.1.4.1.3704.1";
const der = (tag: number, content: Uint8Array): Uint8Array => Uint8Array.from([tag, content.length, ...content]);
const integer = (value: number): Uint8Array => der(2, value > 127 ? Uint8Array.of(0, value) : Uint8Array.of(value));
const ia5 = (text: string): Uint8Array => der(0x16, Buffer.from(text));

export class Machine {
  readonly product: Product;
  readonly root: Issued;
  readonly signing: Readonly<Record<"VCEK" | "VLEK", Issued>>;

  constructor(product: Product, root: Issued, signing: Readonly<Record<"VCEK" | "VLEK", Issued>>) {
    this.product = product;
    this.root = root;
    this.signing = signing;
  }

  static async make(product: Product = "Genoa"): Promise<Machine> {
    const authority = { ca: true, uses: CA_USES } as const;
    const root = await issue({ subject: `${ORGANISATION}, CN=ARK-${product}`, ...authority });
    const VCEK = await issue(
      { subject: `${ORGANISATION}, CN=SEV-${product}`, serial: "02", ...authority, pathLength: 0 },
      root,
    );
    const VLEK = await issue(
      { subject: `${ORGANISATION}, CN=SEV-VLEK-${product}`, serial: "03", ...authority, pathLength: 0 },
      root,
    );
    return new Machine(product, root, { VCEK, VLEK });
  }

  async key(options: KeyOptions = {}): Promise<Issued> {
    const { kind = "VCEK", tcb = TCB[this.product], productName = this.product } = options;
    const hwId = options.hwId ?? chipId(this.product).subarray(0, this.product === "Turin" ? 8 : 64);
    const usual: readonly (readonly [string, Uint8Array])[] = [
      [`${AMD}.1`, integer(0)],
      [`${AMD}.2`, ia5(productName)],
      [`${AMD}.3.1`, integer(tcb.bootloader)],
      [`${AMD}.3.2`, integer(tcb.tee)],
      [`${AMD}.3.3`, integer(tcb.snp)],
      [`${AMD}.3.8`, integer(tcb.microcode)],
      ...(tcb.fmc === undefined ? [] : [[`${AMD}.3.9`, integer(tcb.fmc)] as const]),
      kind === "VCEK"
        ? [`${AMD}.4`, options.wrapHwId === true ? der(4, hwId) : hwId]
        : [`${AMD}.5`, ia5(options.cspId ?? "CN=cc-us-east-2.example.com")],
    ];
    const extensions = [
      ...usual.filter(([oid]) => oid !== `${AMD}${options.without ?? "-"}`),
      ...(options.extra ?? []),
    ].map(([oid, value]) => extension(oid, false, value));
    return issue(
      {
        subject: `${ORGANISATION}, CN=${options.subject ?? `SEV-${kind}`}`,
        serial: options.serial ?? "00",
        extensions,
        ...(options.keys && { keys: options.keys }),
      },
      this.signing[options.signedBy ?? kind],
    );
  }

  /** A policy that trusts this machine's root, strict otherwise, with changes. */
  policy(change: Readonly<Record<string, unknown>> = {}): SevSnpPolicy {
    const certificate_sha256 = createHash("sha256").update(this.root.der).digest("hex");
    return sevSnpPolicySchema.parse({ trust_anchors: [{ product: this.product, certificate_sha256 }], ...change });
  }

  /** Checks of a report by this machine that differs from a sound one as told. */
  async verify(
    change: {
      readonly report?: ReportOptions;
      readonly key?: KeyOptions;
      readonly policy?: Readonly<Record<string, unknown>>;
      readonly input?: Partial<SnpInput>;
      readonly at?: Date;
    } = {},
  ) {
    const key = await this.key(change.key);
    const report = await signedReport(this.product, key, change.report);
    const certificates = [key.der, this.signing.VCEK.der, this.signing.VLEK.der, this.root.der];
    const { verified, checks } = await verifySevSnp(
      { report, certificates, ...change.input },
      this.policy(change.policy),
      change.at ?? NOW,
      webcrypto,
    );
    const failed = checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code}`);
    return { verified, checks, failed, check: (name: string) => checks.find((one) => one.name === name) };
  }
}

export function chipId(product: Product): Uint8Array {
  return product === "Turin" ? Uint8Array.from({ length: 64 }, (_, index) => (index < 8 ? index + 1 : 0)) : CHIP_ID;
}

/** Fields of a report by offset, width and value; what is left out is as on a sound machine. */
export interface ReportOptions {
  readonly version?: number;
  readonly fields?: readonly (readonly [number, number | bigint | Uint8Array, (1 | 4 | 8)?])[];
  readonly tcb?: Partial<Record<"current" | "reported" | "committed" | "launch", Tcb>>;
}

export const AT = {
  guestSvn: 0x04,
  policy: 0x08,
  familyId: 0x10,
  imageId: 0x20,
  vmpl: 0x30,
  algorithm: 0x34,
  platform: 0x40,
  keyInfo: 0x48,
  reserved: 0x4c,
  reportData: 0x50,
  measurement: 0x90,
  hostData: 0xc0,
  idKey: 0xe0,
  authorKey: 0x110,
  reportIdMa: 0x160,
  cpuid: 0x188,
  chipId: 0x1a0,
  currentVersion: 0x1e8,
  committedVersion: 0x1ec,
  launchMitigations: 0x1f8,
  currentMitigations: 0x200,
  tail: 0x208,
} as const;

const CPUID: Readonly<Record<Product, readonly number[]>> = {
  Milan: [0x19, 0x01, 1],
  Genoa: [0x19, 0x11, 1],
  Turin: [0x1a, 0x02, 1],
};

function tcbBytes(product: Product, tcb: Tcb): Uint8Array {
  const { fmc = 0, bootloader, tee, snp, microcode } = tcb;
  return product === "Turin"
    ? Uint8Array.of(fmc, bootloader, tee, snp, 0, 0, 0, microcode)
    : Uint8Array.of(bootloader, tee, 0, 0, 0, 0, snp, microcode);
}

/** The 0x2a0 signed bytes of a report. */
export function reportBody(product: Product, options: ReportOptions = {}): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(0x2a0);
  const view = new DataView(bytes.buffer);
  const version = options.version ?? 3;
  view.setUint32(0, version, true);
  view.setBigUint64(AT.policy, 0x3_0000n, true);
  view.setUint32(AT.algorithm, 1, true);
  view.setBigUint64(AT.platform, 0x25n, true);
  bytes.fill(0xaa, AT.measurement, AT.measurement + 48);
  bytes.fill(0xff, AT.reportIdMa, AT.reportIdMa + 32);
  if (version >= 3) bytes.set(CPUID[product], AT.cpuid);
  bytes.set(chipId(product), AT.chipId);
  for (const at of [AT.currentVersion, AT.committedVersion]) bytes.set([40, 55, 1], at);
  const sound = TCB[product];
  bytes.set(tcbBytes(product, options.tcb?.current ?? sound), 0x38);
  bytes.set(tcbBytes(product, options.tcb?.reported ?? sound), 0x180);
  bytes.set(tcbBytes(product, options.tcb?.committed ?? sound), 0x1e0);
  bytes.set(tcbBytes(product, options.tcb?.launch ?? sound), 0x1f0);
  for (const [at, value, width = 4] of options.fields ?? []) {
    if (value instanceof Uint8Array) bytes.set(value, at);
    else if (width === 8) view.setBigUint64(at, BigInt(value), true);
    else if (width === 4) view.setUint32(at, Number(value), true);
    else view.setUint8(at, Number(value));
  }
  return bytes;
}

/** A whole report: the signed bytes and the signature as AMD lays it out, little endian in 72-byte numbers. */
export async function signedReport(
  product: Product,
  key: Issued,
  options: ReportOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const body = reportBody(product, options);
  const signature = new Uint8Array(
    await webcrypto.subtle.sign({ name: "ECDSA", hash: "SHA-384" }, key.keys.privateKey, body),
  );
  const report = new Uint8Array(0x4a0);
  report.set(body);
  report.set(signature.subarray(0, 48).toReversed(), 0x2a0);
  report.set(signature.subarray(48).toReversed(), 0x2a0 + 72);
  return report;
}
