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

export const GENUINE_LOGS: readonly GenuineLog[] = [
  {
    path: "rhel8-uefi.bin",
    events: 82,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "3d5545516f754bebe7af0672a8970fb698eb59eb11e832fab43503d001057526",
  },
  {
    path: "ubuntu-1804-amd-sev.bin",
    events: 87,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    digest: "47f5961608fcfb2e0a8d90881c37bd1f65a3c4cbb263d5ff1981de4d7b5c80b2",
  },
  {
    path: "ubuntu-2104-no-dbx.bin",
    events: 111,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "354985ca678a064c942e0bee44272b7064dc1f8bb4b1318bcd788570d0536b62",
  },
  {
    path: "ubuntu-2104-no-secure-boot.bin",
    events: 105,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "36d791d94cca7cb4033a6334a0c9c900c5930f0e24b64662c0abd0cf9fd21929",
  },
  {
    path: "ubuntu-2404-amd-sevsnp.bin",
    events: 116,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "e177bfde04ac0fcc17dd20f243bd8bb6326aa47aba790825554f0df45b348d1b",
  },
  {
    path: "glinux-alex.bin",
    events: 28,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7],
    digest: "a5279d7d95213b3b9cc49b5e44ab9afffc0b139a09c9bdc3c9fc1f8f169b5921",
  },
  {
    path: "arch-linux-workstation.bin",
    events: 24,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8],
    digest: "99770dc6dbf821067f28b2392046e746c1467330e3ecfa8d19ed8c1ca9083e77",
  },
  {
    path: "cos-85-amd-sev.bin",
    events: 45,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    digest: "2c74360f3a225e379f1fc167356d93cca323c2c4323f30bd991254aa4d7d0e36",
  },
  {
    path: "cos-93-amd-sev.bin",
    events: 45,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    digest: "dfa4c484aeea79121d505c61273bc38a231f998f9a3a7514ba8ac3103d0197e3",
  },
  {
    path: "cos-101-amd-sev.bin",
    events: 48,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "679dc40ba80b238cd3736842f0099aa266253181b5d49019fe03d660d8e829a3",
  },
  {
    path: "gdc-host.bin",
    events: 158,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "029a29c020566d7d2b2938e13780eee6a52388fc3fda0df0abe8b406b12673e8",
  },
  {
    path: "eventlogwithsp800155.bin",
    events: 53,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "5c0158858f92b35ac5d88496f5992756eeb1c55b61cbfba27b801b5735365dd0",
  },
  {
    path: "confidential-gke-debug-251000_eventlog.bin",
    events: 54,
    pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14],
    digest: "3738c311901d5823b27e45aa171c8ece64337c78e6c03252b9a31cde41e25a41",
  },
];

export function genuineLog({ path }: Pick<GenuineLog, "path">): Uint8Array | null {
  return sharedFile(`${FOLDER}/${path}`);
}
