import type { TdxQuote } from "../quote.ts";
import { sharedFile } from "../../testing/shared.ts";

const INTEL = "evidence/intel";

/** Every quote of the corpus, by the name of its file. */
export const QUOTES = [
  "v4-00806f050000-00b2526ab1",
  "v4-00806f050000-270cbbefea",
  "v4-00806f050000-4e36432be3",
  "v4-00806f050000-a187b0da05",
  "v4-00806f050000-c39a3a2526",
  "v4-00a06d080000-b789d77938",
  "v4-10806f070000-3f49cfeb29-preprod-root",
  "v4-50806f000000-12b401a88a-DEBUG",
  "v4-50806f000000-3507b5f7e6",
  "v4-90c06f000000-cbdb5b2f12",
  "v4-b0c06f000000-0c699dd453",
  "v4-b0c06f000000-32f070134b",
  "v4-b0c06f000000-f1c8503301",
  "v4-c0806f000000-46ca3f903c",
  "v4-nofmspc-aa2cafadb3-other",
  "v5-90c06f000000-4c453ea417",
  "v5-90c06f000000-cf77a6e91e",
] as const;

export type QuoteName = (typeof QUOTES)[number];

/** Quotes no verifier may take for authentic: an untrusted root, and one without a PCK chain. */
export const UNTRUSTED: readonly QuoteName[] = [
  "v4-10806f070000-3f49cfeb29-preprod-root",
  "v4-nofmspc-aa2cafadb3-other",
];

/** A genuine quote. Callers skip where the corpus is absent. */
export function genuineQuote(name: QuoteName): Uint8Array<ArrayBuffer> {
  return corpusFile(`quotes/${name}.quote.bin`);
}

/** Collateral that was all in force at one time. */
export interface CollateralSet {
  readonly fmspc: string;
  readonly at: Date;
  /** Files below `evidence/intel`; `file#member` is the text of a member of a JSON file. */
  readonly files: readonly string[];
}

const ROOT = "ca/Intel_SGX_Root_CA-44a0196b.der";
const SIGNER_2018 = "ca/Intel_SGX_TCB_Signing-ec37d981.der";
const SIGNER_2025 = "ca/Intel_SGX_TCB_Signing-c0575e76.der";
const BUNDLE_JUNE_2025 = "collateral/dcap-qvl__sample_tdx_quote_collateral.json";
const ROOT_LIST_2025 = `${BUNDLE_JUNE_2025}#root_ca_crl`;
const JUNE_2023 = [
  "collateral/go-tdx-guest__testing_testdata_sample_qeIdentity_response",
  "collateral/go-tdx-guest__testing_testdata_pckcrl",
  "collateral/go-tdx-guest__testing_testdata_rootcrl.der",
  SIGNER_2018,
  ROOT,
];
const SEPTEMBER_2024 = [
  "collateral/oasis-core__runtime_testdata_qe_identity_v2_tdx2.json",
  "collateral/dcap-rs__data_intel_root_ca_crl.der",
  SIGNER_2018,
  ROOT,
];
const FEBRUARY_2025 = [
  "collateral/dcap-rs__data_qeidentityv2_apiv4.json",
  "collateral/dcap-rs__data_pck_platform_crl.der",
  "collateral/dcap-rs__data_intel_root_ca_crl.der",
  SIGNER_2018,
  ROOT,
];
const JUNE_2025 = [
  "collateral/teepot__crates_intel-dcap-api_tests_test_data_tdx_qe_identity.json",
  ROOT_LIST_2025,
  `${BUNDLE_JUNE_2025}#pck_crl`,
  ROOT,
];
const NOVEMBER_2025 = [
  "collateral/trustee__deps_verifier_test_data_enclaveIdentity.json",
  "collateral/automata-dcap-attestation__evm_forge-test_assets_1025_pck_crl.der",
  ROOT_LIST_2025,
  SIGNER_2025,
  ROOT,
];

/** Sets that the corpus's collateral can be put together to. The one of September 2024 has no list of PCKs. */
export const COLLATERAL = {
  "2023-06 50806f": {
    fmspc: "50806f000000",
    at: new Date("2023-06-20T00:00:00Z"),
    files: ["collateral/go-tdx-guest__testing_testdata_sample_tcbInfo_response", ...JUNE_2023],
  },
  "2024-09 c0806f": {
    fmspc: "c0806f000000",
    at: new Date("2024-09-20T00:00:00Z"),
    files: ["collateral/oasis-core__runtime_testdata_tcb_info_v3_tdx_fmspc_C0806F000000.json", ...SEPTEMBER_2024],
  },
  "2025-02 00806f": {
    fmspc: "00806f050000",
    at: new Date("2025-02-20T00:00:00Z"),
    files: ["collateral/dcap-rs__data_tcbinfov3_00806f050000.json", ...FEBRUARY_2025],
  },
  "2025-02 90c06f": {
    fmspc: "90c06f000000",
    at: new Date("2025-02-20T00:00:00Z"),
    files: ["collateral/dcap-rs__data_tcb_info_v3_tdx_0.json", ...FEBRUARY_2025],
  },
  "2025-06 00806f": {
    fmspc: "00806f050000",
    at: new Date("2025-06-20T00:00:00Z"),
    files: ["collateral/teepot__crates_intel-dcap-api_tests_test_data_tdx_tcb_info_00806F050000.json", ...JUNE_2025],
  },
  "2025-06 90c06f": {
    fmspc: "90c06f000000",
    at: new Date("2025-06-20T00:00:00Z"),
    files: [
      "collateral/automata-dcap-attestation__evm_forge-test_assets_0625_tcbinfov3_90C06F000000.json",
      ...JUNE_2025,
    ],
  },
  "2025-06 b0c06f": { fmspc: "b0c06f000000", at: new Date("2025-06-25T00:00:00Z"), files: [BUNDLE_JUNE_2025] },
  "2025-11 00806f": {
    fmspc: "00806f050000",
    at: new Date("2025-11-01T00:00:00Z"),
    files: ["collateral/automata-dcap-attestation__evm_forge-test_assets_1025_tcb_info.json", ...NOVEMBER_2025],
  },
  "2025-11 00a06d": {
    fmspc: "00a06d080000",
    at: new Date("2025-11-01T00:00:00Z"),
    files: ["collateral/trustee__deps_verifier_test_data_tcbInfo.json", ...NOVEMBER_2025],
  },
  "2026-02 90c06f": {
    fmspc: "90c06f000000",
    at: new Date("2026-02-25T00:00:00Z"),
    files: ["collateral/dcap-qvl__sample_tdx_quote_outdated_collateral.json"],
  },
  "2026-08 b0c06f": {
    fmspc: "b0c06f000000",
    at: new Date("2026-08-20T00:00:00Z"),
    files: ["collateral/mpc__crates_test-utils_assets_collateral.json"],
  },
} as const satisfies Record<string, CollateralSet>;

export type CollateralName = keyof typeof COLLATERAL;

/** The files of a set. Callers skip where the corpus is absent. */
export function collateralFiles({ files }: CollateralSet): Uint8Array<ArrayBuffer>[] {
  return files.map(corpusFile);
}

/** A file below `evidence/intel`, or the text of one member of it. Callers skip where the corpus is absent. */
export function corpusFile(path: string): Uint8Array<ArrayBuffer> {
  const [file = "", member] = path.split("#");
  const bytes = sharedFile(`${INTEL}/${file}`);
  if (bytes === null) throw new Error("the corpus is absent, and the test did not skip");
  if (member === undefined) return bytes;
  const value = (JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>)[member];
  if (typeof value !== "string") throw new TypeError(`${path} is not text`);
  return new TextEncoder().encode(value);
}

/** Where each signed or signing region of a quote lies. */
export function regions(quote: TdxQuote): readonly (readonly [name: string, start: number, end: number])[] {
  const signature = quote.signed.length + 4;
  const qe = signature + 128 + 6;
  const authentication = qe + 448 + 2;
  return [
    ["header and TD report", 0, quote.signed.length],
    ["signature and attestation key", signature, signature + 128],
    ["quoting enclave's report and signature", qe, qe + 448],
    ["authentication data", authentication, authentication + 32],
  ];
}

/** Quotes that no policy of this project accepts as they are, and why. */
export const REJECTED: Readonly<Partial<Record<QuoteName, Readonly<Record<string, string>>>>> = {
  "v4-10806f070000-3f49cfeb29-preprod-root": { "PCK chain": "EVIDENCE_ROOT_NOT_TRUSTED" },
  "v4-nofmspc-aa2cafadb3-other": {
    "PCK certificates": "EVIDENCE_CHAIN_INVALID",
    "quoting enclave": "EVIDENCE_SIGNATURE_INVALID",
  },
  "v4-50806f000000-12b401a88a-DEBUG": { debug: "EVIDENCE_DEBUG" },
};

/** What else the strict default refuses, for want of an expectation. */
export const UNEXPECTED: Readonly<Partial<Record<QuoteName, Readonly<Record<string, string>>>>> = {
  "v4-00806f050000-a187b0da05": { "TD attributes": "EVIDENCE_POLICY_VIOLATION" },
  "v4-50806f000000-3507b5f7e6": { "TD attributes": "EVIDENCE_POLICY_VIOLATION" },
  "v4-00a06d080000-b789d77938": { MRCONFIGID: "EVIDENCE_POLICY_VIOLATION" },
  "v4-90c06f000000-cbdb5b2f12": { RTMR3: "EVIDENCE_MEASUREMENT_MISMATCH" },
  "v4-b0c06f000000-0c699dd453": { RTMR3: "EVIDENCE_MEASUREMENT_MISMATCH", MRCONFIGID: "EVIDENCE_POLICY_VIOLATION" },
  "v4-b0c06f000000-32f070134b": { RTMR3: "EVIDENCE_MEASUREMENT_MISMATCH" },
};
