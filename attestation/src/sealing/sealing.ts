import type { Provider } from "../machine/detect.ts";
import { readLocalSnpReport, type SnpSource } from "../sev-snp/collect.ts";
import type { TpmTransport } from "../tpm/transport/transport.ts";
import type { PlatformSecret } from "./platform-secret.ts";
import { derivedKeysAreSound, snpSecret, type DerivedKey } from "./snp-secret.ts";
import { tpmSecret } from "./tpm-secret.ts";

/** What sealing may reach of the machine. */
export interface SealingAccess {
  readonly openTpm: () => Promise<TpmTransport>;
  /** What the image's native helper left, where there is one. */
  readonly derivedKey: DerivedKey | null;
  readonly tsm?: SnpSource;
}

/** A way to keep a secret over a restart, or why there is none here. */
export type Sealing = PlatformSecret | { readonly kind: "none"; readonly why: string };

/**
 * How well a platform can keep a secret over a restart (docs/decisions/key-sealing.md). Where it cannot do it at
 * least as well as it attests, it does not: keys then live and die with the instance.
 */
export async function sealingOf(provider: Provider, access: SealingAccess): Promise<Sealing> {
  switch (provider) {
    case "sev-snp": {
      if (access.derivedKey === null) return none("the image left no derived key");
      return derivedKeysAreSound(await readLocalSnpReport(access.tsm))
        ? snpSecret(access.derivedKey)
        : none("derived keys of this processor are not relied on");
    }
    case "azure-cvm":
      return tpmSecret({ open: access.openTpm });
    case "tdx":
      return none("TDX derives no keys");
    case "tpm":
      return none("whoever owns the TPM could open what it seals");
    case "software-only":
      return none("software keeps nothing from its host");
  }
}

function none(why: string): Sealing {
  return { kind: "none", why };
}
