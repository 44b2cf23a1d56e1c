import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import { readWitnessPolicy } from "@cmcp/log";
import type { HeadExpectations } from "@cmcp/verify";
import { readSmallFile } from "../read-file.ts";

/** Options that say what a log's checkpoint is held to. */
export const HEAD_OPTIONS = {
  "witness-policy": { type: "string" },
  "earlier-checkpoint": { type: "string", multiple: true },
} as const;

/** What the help of such a command says of them. */
export const HEAD_HELP = `  --witness-policy FILE    witnesses and quorum that must have cosigned the checkpoint (C2SP tlog-policy): WITNESSED
  --earlier-checkpoint FILE  a checkpoint of this log that you kept; may be given again. The log must continue it:
                           CONSISTENT. With neither the log is UNWITNESSED`;

/** @throws CmcpError `USAGE` for a file that cannot be read; `WITNESS_POLICY_INVALID` */
export async function headExpectations({
  "witness-policy": policy,
  "earlier-checkpoint": earlier = [],
}: {
  readonly "witness-policy"?: string | undefined;
  readonly "earlier-checkpoint"?: string[] | undefined;
}): Promise<HeadExpectations> {
  return {
    ...(policy === undefined ? {} : { witnessPolicy: readWitnessPolicy(decoded(await readSmallFile(policy))) }),
    earlierCheckpoints: await Promise.all(earlier.map(readSmallFile)),
  };
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (thrown) {
    throw new CmcpError("WITNESS_POLICY_INVALID", "the policy is not UTF-8", { cause: thrown });
  }
}

/** A pinned key. @throws CmcpError `USAGE` */
export function trustedKeyOf(key: string | undefined): { readonly trustedKey?: string } {
  if (key === undefined) return {};
  if (fromBase64Url(key)?.length !== 32) throw new CmcpError("USAGE", "--trusted-key is base64url of 32 bytes");
  return { trustedKey: key };
}
