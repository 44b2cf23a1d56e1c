import { ENFORCEMENT_MODES, type EnforcementMode } from "@cmcp/appraise";
import { CmcpError } from "@cmcp/boundary";
import type { SessionTerms } from "@cmcp/verify";

interface ModeOptions {
  readonly "allow-mode"?: readonly string[] | undefined;
}

interface TermOptions extends ModeOptions {
  readonly "require-complete-history": boolean;
  readonly "require-sealed": boolean;
  readonly "seal-keys"?: string | undefined;
  readonly "require-signed-provisioning": boolean;
}

/** SHA-256, base64url. */
const NAME = /^[A-Za-z0-9_-]{43}$/;

/** What the options say that a session must have been like. @throws CmcpError `USAGE` for a value that is not valid */
export function sessionTerms(values: TermOptions): SessionTerms {
  const { "seal-keys": sealKeys } = values;
  if (sealKeys !== undefined && !NAME.test(sealKeys))
    throw new CmcpError("USAGE", "--seal-keys is what cmcp instance verify prints as the seal key");
  return {
    allowModes: allowedModes(values),
    completeHistory: values["require-complete-history"],
    requireSealed: values["require-sealed"],
    ...(sealKeys === undefined ? {} : { sealKeys }),
    requireSignedProvisioning: values["require-signed-provisioning"],
  };
}

/** `--allow-mode`. @throws CmcpError `USAGE` for a mode that is not valid */
export function allowedModes({ "allow-mode": names = [] }: ModeOptions): readonly EnforcementMode[] {
  return names.map((name) => {
    const mode = ENFORCEMENT_MODES.find((known) => known === name);
    if (mode === undefined) throw new CmcpError("USAGE", `--allow-mode is one of ${ENFORCEMENT_MODES.join(", ")}`);
    return mode;
  });
}
