/** `attestation.provider` of the configuration; opaque text where this host knows none of its devices. */
export type AttestationSetting = string;

interface Files {
  readonly read: readonly string[];
  readonly write?: readonly string[];
}

/** Reports are asked for by making a folder here and writing into it (configfs-tsm). */
const TSM = ["/sys/kernel/config/tsm/report", "/sys/kernel/config/tsm/report/*"];
/** A TPM is written to and read from; its log is the kernel's. */
const TPM: Files = {
  read: ["/dev/tpmrm0", "/dev/tpm0", "/sys/kernel/security/tpm0/binary_bios_measurements"],
  write: ["/dev/tpmrm0", "/dev/tpm0"],
};

/** What collecting evidence touches, by provider. */
const FILES: Readonly<Record<string, Files>> = {
  "sev-snp": { read: ["/dev/sev-guest", "/run/cmcp/derived-key", ...TSM], write: TSM },
  tdx: {
    read: [
      "/dev/tdx_guest",
      "/run/cmcp/local-report",
      "/sys/devices/virtual/misc/tdx_guest/measurements/*",
      "/sys/firmware/acpi/tables/data/CCEL",
      ...TSM,
    ],
    write: TSM,
  },
  "azure-cvm": { read: ["/sys/class/dmi/id/chassis_asset_tag", ...TPM.read], write: TPM.write ?? [] },
  tpm: TPM,
};

/**
 * Node's flags for what a provider's evidence needs of the file system: for `auto` whatever may be found, for software
 * nothing.
 */
export function attestationFlags(setting: AttestationSetting): string[] {
  const files = setting === "auto" ? Object.values(FILES) : [FILES[setting] ?? { read: [] }];
  return [
    ...new Set(
      files.flatMap(({ read, write = [] }) => [
        ...read.map((path) => `--allow-fs-read=${path}`),
        ...write.map((path) => `--allow-fs-write=${path}`),
      ]),
    ),
  ];
}
