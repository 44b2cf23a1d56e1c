import { ENFORCEMENT_MODES } from "@cmcp/appraise";
import { CmcpError } from "@cmcp/boundary";
import type { SessionTerms } from "@cmcp/verify";

interface TermOptions {
  readonly "allow-mode"?: readonly string[] | undefined;
  readonly "require-complete-history": boolean;
}

/** `--allow-mode` and `--require-complete-history`. @throws CmcpError `USAGE` for a mode that is none */
export function sessionTerms(values: TermOptions): SessionTerms {
  const allowModes = (values["allow-mode"] ?? []).map((name) => {
    const mode = ENFORCEMENT_MODES.find((known) => known === name);
    if (mode === undefined) throw new CmcpError("USAGE", `--allow-mode is one of ${ENFORCEMENT_MODES.join(", ")}`);
    return mode;
  });
  return { allowModes, completeHistory: values["require-complete-history"] };
}
