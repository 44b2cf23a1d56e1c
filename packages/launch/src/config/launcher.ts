import { CmcpError } from "@cmcp/boundary";
import * as z from "zod";
import { relativePath } from "./fields.ts";

/** CIDs below are reserved (vsock(7)); the highest stands for any. */
const FIRST_CID = 3;
const LAST_CID = 0xffff_fffe;
const cid = z.int().min(FIRST_CID).max(LAST_CID);

export const launcherSchema = z
  .enum(["process", "vsock", "qemu"])
  .default("process")
  .describe(
    "What the enclave runs in. `process`: a process of this host, which the host can read. `vsock`: a virtual " +
      "machine that somebody else starts. `qemu`: a virtual machine that this command starts from an image and " +
      "restarts.",
  );

export const vsockSchema = z.strictObject({
  cid: cid
    .nullish()
    .describe(
      "The machine's CID in the kernel's vsock. One gateway of a host can use the kernel's vsock, as the image " +
        "knows one port for it.",
    ),
  port: z
    .int()
    .min(1)
    .max(LAST_CID)
    .default(5000)
    .describe("Port on which the enclave of that machine listens; the image uses 5000."),
  hybrid_socket: relativePath
    .nullish()
    .describe(
      "Instead of a CID: the Unix socket of a VMM or vsock daemon that is asked with `CONNECT <port>`. The " +
        "host's services listen beside it, at the same path with `_6000` after it. Start a machine behind " +
        "vhost-device-vsock before the gateway.",
    ),
});

export const qemuSchema = z.strictObject({
  image: relativePath.describe("Folder that `make image` has made."),
  memory_mb: z.int().min(512).max(65_536).default(1024).describe("Memory of the machine, in MB."),
  vcpus: z.int().min(1).max(64).default(1).describe("Processors of the machine; SEV-SNP images run on one."),
  cpu: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._,+-]{0,255}$/, { error: "must be one of QEMU's names" })
    .nullish()
    .describe(
      "Processor model as QEMU names it, part of the SEV-SNP measurement. Without it `EPYC-v4` on SEV-SNP, else " +
        "the host's own, under emulation `EPYC`.",
    ),
  accelerator: z
    .enum(["auto", "kvm", "tcg"])
    .default("auto")
    .describe(
      "`auto` tries KVM where it opens and emulates where no machine comes up with it. SEV-SNP and TDX need KVM.",
    ),
  cid: cid
    .nullish()
    .describe(
      "CID of the machine in the kernel's vsock. Without it a vsock daemon of its own (vhost-device-vsock) is started.",
    ),
  quote_generation_socket: relativePath
    .nullish()
    .describe(
      "Unix socket of the quote generation service on a TDX host. Without it the service's vsock port 4050 is asked.",
    ),
  console_log: relativePath
    .default("console.log")
    .describe(
      "File for what the machine prints, at most 1 MiB; the file of the machine before is kept beside it with " +
        "`.1`. An image without a console prints nothing after its firmware.",
    ),
  tpm_state: relativePath
    .default("tpm")
    .describe(
      "Folder for the state of the machine's virtual TPM, for one gateway alone. By the key in it a start believes " +
        "what earlier machines wrote, so keep it with the audit store. It is used only where this host plays the TPM.",
    ),
});

/** The keys of the configuration that say what the enclave runs in; none of them is measured. */
export const launcherKeys = {
  launcher: launcherSchema,
  vsock: vsockSchema.nullish().describe("The machine of launcher `vsock`: `cid` or `hybrid_socket`."),
  qemu: qemuSchema
    .nullish()
    .describe(
      "The machine of launcher `qemu`. `attestation.provider` says what it is: `sev-snp`, `tdx`, `tpm` (a " +
        "virtual TPM of this host), or with `auto` the best this host has.",
    ),
};

type Written = z.output<z.ZodObject<typeof launcherKeys>>;

/** What the enclave runs in, with paths as written. */
export type LauncherConfig =
  | { readonly launcher: "process" }
  | {
      readonly launcher: "vsock";
      readonly port: number;
      readonly route: { readonly cid: number } | { readonly hybridSocket: string };
    }
  | ({ readonly launcher: "qemu"; readonly platform: MachinePlatform } & z.output<typeof qemuSchema>);

/** What a machine of launcher `qemu` is made as. */
export type MachinePlatform = "auto" | "sev-snp" | "tdx" | "vtpm";

/** Machines by `attestation.provider`. Another provider has no machine that this host could start. */
const PLATFORMS: Readonly<Record<string, MachinePlatform | undefined>> = {
  auto: "auto",
  "sev-snp": "sev-snp",
  tdx: "tdx",
  tpm: "vtpm",
};

/**
 * Puts the launcher's keys together.
 * @throws CmcpError `CONFIG_INVALID` naming the key that is missing, that contradicts another, or that the launcher
 * does not use
 */
export function launcherOf({ launcher, vsock, qemu }: Written, provider: string, file: string): LauncherConfig {
  const refuse = (key: string, why: string): never => {
    throw new CmcpError("CONFIG_INVALID", `${file}: ${key}: ${why}`, { detail: { file, key } });
  };
  // What is written and not used would look as if it did something.
  if (isGiven(vsock) && launcher !== "vsock") refuse("vsock", `launcher ${launcher} does not use it`);
  if (isGiven(qemu) && launcher !== "qemu") refuse("qemu", `launcher ${launcher} does not use it`);
  switch (launcher) {
    case "process":
      return { launcher };
    case "vsock": {
      const { cid: number, hybrid_socket: hybridSocket, port } = vsock ?? refuse("vsock", "launcher vsock needs it");
      if (isGiven(number) && isGiven(hybridSocket)) refuse("vsock", "cid and hybrid_socket exclude each other");
      if (isGiven(number)) return { launcher, port, route: { cid: number } };
      return { launcher, port, route: { hybridSocket: hybridSocket ?? refuse("vsock", "needs cid or hybrid_socket") } };
    }
    case "qemu": {
      const platform =
        PLATFORMS[provider] ?? refuse("attestation.provider", `launcher qemu makes no machine for ${provider}`);
      return { launcher, platform, ...(qemu ?? refuse("qemu", "launcher qemu needs it")) };
    }
  }
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

/** The same with absolute paths. */
export function withAbsolutePaths(config: LauncherConfig, absolute: (written: string) => string): LauncherConfig {
  switch (config.launcher) {
    case "process":
      return config;
    case "vsock":
      return "hybridSocket" in config.route
        ? { ...config, route: { hybridSocket: absolute(config.route.hybridSocket) } }
        : config;
    case "qemu": {
      const { image, console_log, tpm_state, quote_generation_socket: quotes } = config;
      return {
        ...config,
        image: absolute(image),
        console_log: absolute(console_log),
        tpm_state: absolute(tpm_state),
        ...(isGiven(quotes) ? { quote_generation_socket: absolute(quotes) } : {}),
      };
    }
  }
}
