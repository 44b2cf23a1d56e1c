import type { EndorsementKey } from "./endorsement-key.ts";
import type { Product } from "./product.ts";
import type { KeyInfo, SnpReportFields } from "./report.ts";
import type { TcbVersion } from "./tcb.ts";

declare const verified: unique symbol;

/**
 * A report whose signature, endorsement key and certificates were verified up to a pinned root. Only
 * `verifySevSnp` makes one. That it is authentic does not say that it is acceptable.
 */
export interface VerifiedSnpReport
  extends Omit<SnpReportFields, "keyInfo" | "currentTcb" | "reportedTcb" | "committedTcb" | "launchTcb"> {
  readonly [verified]: true;
  readonly platform: "sev-snp";
  readonly product: Product;
  readonly endorsementKey: EndorsementKey;
  readonly keyInfo: KeyInfo;
  readonly currentTcb: TcbVersion;
  readonly reportedTcb: TcbVersion;
  readonly committedTcb: TcbVersion;
  readonly launchTcb: TcbVersion;
}
