import { proofFault } from "./fault.ts";
import type { ProofFreshness } from "./freshness.ts";
import { checkProof } from "./proof.ts";
import { requestTargets } from "./target.ts";

/** How a token came. */
export interface Presentation {
  readonly scheme: "bearer" | "dpop";
  /** The field `DPoP` of the request; `null` without one. */
  readonly proof: string | null;
  readonly method: string;
  /** Path of the request, at this gateway. */
  readonly path: string;
}

/** A token by itself. */
export const AS_BEARER: Presentation = { scheme: "bearer", proof: null, method: "", path: "" };

/** Whether a request says that its token is bound to a key. */
export function claimsPossession({ scheme, proof }: Presentation): boolean {
  return scheme === "dpop" || proof !== null;
}

/** Holds bound tokens to the proof that their sender has the key (RFC 9449 section 7). */
export class ProofOfPossession {
  readonly #resource: string;
  readonly #freshness: ProofFreshness;

  /** @param resource the measured URL of the MCP endpoint */
  constructor(resource: string, freshness: ProofFreshness) {
    this.#resource = resource;
    this.#freshness = freshness;
  }

  /** The nonce that proofs must have from now on. */
  get nonce(): string {
    return this.#freshness.nonce;
  }

  /**
   * Requires the proof of a bound token, and uses it up.
   * @throws CmcpError `UNAUTHENTICATED`; `detail.proof` is a `ProofFault`. `OVERLOADED` if the principal has used too many
   */
  async require(
    { scheme, proof, method, path }: Presentation,
    bound: { readonly token: string; readonly thumbprint: string; readonly principalId: string },
  ): Promise<void> {
    // RFC 9449 section 7.2: a bound token is no bearer token, whatever lies beside it.
    if (scheme !== "dpop" || proof === null) throw proofFault("missing");
    const targets = requestTargets(this.#resource, path);
    const { nonce, id } = await checkProof(proof, { ...bound, method, targets });
    this.#freshness.use(nonce, bound.principalId, id);
  }
}
