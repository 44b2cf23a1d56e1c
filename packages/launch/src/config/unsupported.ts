import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { ConfigFile } from "./schema.ts";

interface Refusal {
  readonly key: string;
  /** Whether the file asks for what this version does not do. */
  readonly asked: (config: ConfigFile) => boolean;
  readonly why: string;
  /** `CONFIG_NOT_SUPPORTED` unless the format has a code of its own for it. */
  readonly code?: ErrorCode;
}

const NO_CATALOG_RELOAD = {
  code: "CATALOG_RESTART_REQUIRED",
  why: "the catalog is measured at start, and only a restart loads another",
} as const;

const isSet = (value: unknown): boolean => value !== undefined && value !== null;
const hasMembers = (value: object | null | undefined): boolean =>
  isSet(value) && Object.values(value ?? {}).some((member) => isSet(member));

/** Keys of the format whose feature does not exist here. Accepting one would promise a protection that is not there. */
const REFUSALS: readonly Refusal[] = [
  {
    key: "attestation.provider",
    asked: ({ attestation }) => attestation.provider === "opaque",
    why: "a service that says so is no evidence",
  },
  {
    key: "attestation.required_provenance_kind",
    asked: ({ attestation }) => isSet(attestation.required_provenance_kind),
    why: "provenance records are not read",
  },
  {
    key: "agent_manifest",
    asked: (config) => hasMembers(config.agent_manifest),
    why: "claims are not bound to agent manifests",
  },
  {
    key: "sensitivity.compliance_domains",
    asked: ({ sensitivity }) => hasMembers(sensitivity?.compliance_domains),
    why: "only the built-in domains",
  },
  {
    key: "kill_switch.enabled",
    asked: (config) => config.kill_switch?.enabled === true,
    why: "there is no kill switch",
  },
  {
    key: "session_state_path",
    asked: (config) => isSet(config.session_state_path),
    why: "session state lives in the enclave alone",
  },
  {
    key: "catalog_reload_interval_seconds",
    asked: (config) => isSet(config.catalog_reload_interval_seconds),
    ...NO_CATALOG_RELOAD,
  },
  { key: "catalog_reload_path", asked: (config) => isSet(config.catalog_reload_path), ...NO_CATALOG_RELOAD },
  { key: "sink_policy", asked: (config) => isSet(config.sink_policy), why: "write the limits as Cedar policies" },
];

/** @throws CmcpError `CONFIG_NOT_SUPPORTED`, or the key's own code, naming the first key that asks for a feature this version lacks */
export function refuseUnsupported(config: ConfigFile, file: string): void {
  for (const { key, asked, why, code = "CONFIG_NOT_SUPPORTED" } of REFUSALS) {
    if (asked(config)) {
      throw new CmcpError(code, `${file}: ${key}: not supported by this version with that value (${why})`, {
        detail: { file, key },
      });
    }
  }
}
