import { sharedFile } from "../../testing/shared.ts";

/** A genuine log of the corpus, and what its origin says the SHA-256 PCRs were. */
export interface GenuineLog {
  readonly path: string;
  readonly events: number;
  /** Register values by the origin's own tests (google/go-tpm-tools, Apache-2.0): SHA-256 over the listed PCRs one after another. */
  readonly pcrs: readonly number[];
  readonly digest: string;
}

const FOLDER = "evidence/tpm/gce-go-tpm-tools/eventlogs";

const PCR_0_TO_9 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

const ROWS: readonly (readonly [path: string, events: number, pcrs: readonly number[], digest: string])[] = [
  ["rhel8-uefi.bin", 82, [...PCR_0_TO_9, 14], "3d5545516f754bebe7af0672a8970fb698eb59eb11e832fab43503d001057526"],
  ["ubuntu-1804-amd-sev.bin", 87, PCR_0_TO_9, "47f5961608fcfb2e0a8d90881c37bd1f65a3c4cbb263d5ff1981de4d7b5c80b2"],
  [
    "ubuntu-2104-no-dbx.bin",
    111,
    [...PCR_0_TO_9, 14],
    "354985ca678a064c942e0bee44272b7064dc1f8bb4b1318bcd788570d0536b62",
  ],
  [
    "ubuntu-2104-no-secure-boot.bin",
    105,
    [...PCR_0_TO_9, 14],
    "36d791d94cca7cb4033a6334a0c9c900c5930f0e24b64662c0abd0cf9fd21929",
  ],
  [
    "ubuntu-2404-amd-sevsnp.bin",
    116,
    [...PCR_0_TO_9, 14],
    "e177bfde04ac0fcc17dd20f243bd8bb6326aa47aba790825554f0df45b348d1b",
  ],
  ["glinux-alex.bin", 28, PCR_0_TO_9.slice(0, 8), "a5279d7d95213b3b9cc49b5e44ab9afffc0b139a09c9bdc3c9fc1f8f169b5921"],
  [
    "arch-linux-workstation.bin",
    24,
    PCR_0_TO_9.slice(0, 9),
    "99770dc6dbf821067f28b2392046e746c1467330e3ecfa8d19ed8c1ca9083e77",
  ],
  ["cos-85-amd-sev.bin", 45, PCR_0_TO_9, "2c74360f3a225e379f1fc167356d93cca323c2c4323f30bd991254aa4d7d0e36"],
  ["cos-93-amd-sev.bin", 45, PCR_0_TO_9, "dfa4c484aeea79121d505c61273bc38a231f998f9a3a7514ba8ac3103d0197e3"],
  ["cos-101-amd-sev.bin", 48, [...PCR_0_TO_9, 14], "679dc40ba80b238cd3736842f0099aa266253181b5d49019fe03d660d8e829a3"],
  ["gdc-host.bin", 158, [...PCR_0_TO_9, 14], "029a29c020566d7d2b2938e13780eee6a52388fc3fda0df0abe8b406b12673e8"],
  [
    "eventlogwithsp800155.bin",
    53,
    [...PCR_0_TO_9, 14],
    "5c0158858f92b35ac5d88496f5992756eeb1c55b61cbfba27b801b5735365dd0",
  ],
  [
    "confidential-gke-debug-251000_eventlog.bin",
    54,
    [...PCR_0_TO_9, 14],
    "3738c311901d5823b27e45aa171c8ece64337c78e6c03252b9a31cde41e25a41",
  ],
];

export const GENUINE_LOGS: readonly GenuineLog[] = ROWS.map(([path, events, pcrs, digest]) => ({
  path,
  events,
  pcrs,
  digest,
}));

export function genuineLog({ path }: Pick<GenuineLog, "path">): Uint8Array | null {
  return sharedFile(`${FOLDER}/${path}`);
}
