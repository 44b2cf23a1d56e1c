import { CmcpError } from "@cmcp/boundary";
import type { ConfigFile } from "./schema.ts";

interface Refusal {
  readonly key: string;
  /** Whether the file asks for what this version does not do. */
  readonly asked: (config: ConfigFile) => boolean;
  readonly why: string;
}

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
  { key: "attestation.required_provenance_kind", asked: ({ attestation }) => isSet(attestation.required_provenance_kind), why: "provenance records are not read" },
  { key: "agent_manifest", asked: (config) => hasMembers(config.agent_manifest), why: "claims are not bound to agent manifests" },
  { key: "sensitivity.compliance_domains", asked: ({ sensitivity }) => hasMembers(sensitivity?.compliance_domains), why: "only the built-in domains" },
  { key: "kill_switch.enabled", asked: (config) => config.kill_switch?.enabled === true, why: "there is no kill switch" },
  { key: "session_state_path", asked: (config) => isSet(config.session_state_path), why: "session state lives in the enclave alone" },
  { key: "sink_policy", asked: (config) => isSet(config.sink_policy), why: "write the limits as Cedar policies" },
];

/** @throws CmcpError `CONFIG_NOT_SUPPORTED` naming the first key that asks for a feature this version lacks */
export function refuseUnsupported(config: ConfigFile, file: string): void {
  for (const { key, asked, why } of REFUSALS) {
    if (asked(config)) {
      throw new CmcpError("CONFIG_NOT_SUPPORTED", `${file}: ${key}: not supported by this version with that value (${why})`, { detail: { file, key } });
    }
  }
}
