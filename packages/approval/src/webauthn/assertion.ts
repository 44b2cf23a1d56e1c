import * as z from "zod";
import { MAX_AUTHENTICATOR_DATA_BYTES, MAX_CLIENT_DATA_BYTES, MAX_SIGNATURE_BYTES } from "../limits.ts";
import { bytesUpTo } from "../members.ts";

export const assertionSchema = z.strictObject({
  authenticator_data: bytesUpTo(MAX_AUTHENTICATOR_DATA_BYTES),
  client_data_json: bytesUpTo(MAX_CLIENT_DATA_BYTES),
  signature: bytesUpTo(MAX_SIGNATURE_BYTES),
});
/** An assertion of a passkey (WebAuthn Level 3, section 7.2), its members in base64url. */
export type PasskeyAssertion = z.output<typeof assertionSchema>;
