import { fromBase64Url } from "@cmcp/boundary";
import * as z from "zod";
import { RSA_BITS } from "../limits.ts";
import { ALGORITHMS, algorithmsOf } from "./algorithms.ts";

const bytes = (length: number): z.ZodType<string> =>
  z.string().refine((text) => fromBase64Url(text)?.byteLength === length, {
    error: `must be base64url of ${length} bytes without padding`,
  });
const certificateMember = z.unknown().describe("Not used: the key itself is what is trusted.");

const common = {
  kid: z.string().min(1).max(256),
  alg: z.enum(ALGORITHMS).optional(),
  use: z.literal("sig").optional(),
  key_ops: z.tuple([z.literal("verify")]).optional(),
  x5c: certificateMember.optional(),
  x5t: certificateMember.optional(),
  "x5t#S256": certificateMember.optional(),
};

/** Bits of an unsigned big-endian number. */
function bits(number: Uint8Array): number {
  return number.byteLength === 0 ? 0 : (number.byteLength - 1) * 8 + (32 - Math.clz32(number[0] ?? 0));
}

const modulus = z
  .string()
  .max(1_024)
  .refine(
    (text) => {
      const length = bits(fromBase64Url(text) ?? new Uint8Array());
      return length >= RSA_BITS.least && length <= RSA_BITS.most;
    },
    { error: `must be base64url of an RSA modulus of ${RSA_BITS.least} to ${RSA_BITS.most} bits` },
  );

/** Members that private and shared keys have (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2). */
const SECRET_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/** Whether somebody else's JWK has a part that its owner keeps to itself. */
export function isSecretKey(jwk: Readonly<Record<string, unknown>>): boolean {
  return jwk["kty"] === "oct" || SECRET_MEMBERS.some((member) => Object.hasOwn(jwk, member));
}

const curves = {
  ed25519: { kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: bytes(32) },
  p256: { kty: z.literal("EC"), crv: z.literal("P-256"), x: bytes(32), y: bytes(32) },
  p384: { kty: z.literal("EC"), crv: z.literal("P-384"), x: bytes(48), y: bytes(48) },
  // F4 is what every issuer uses; an exponent of the caller's choosing makes verification cost what the caller likes.
  rsa: { kty: z.literal("RSA"), n: modulus, e: z.literal("AQAB") },
};

/** The members that make a public key, out of somebody else's JWK. Its other members are left out. */
export const publicKeySchema = z.discriminatedUnion("kty", [
  z.object(curves.ed25519),
  z.discriminatedUnion("crv", [z.object(curves.p256), z.object(curves.p384)]),
  z.object(curves.rsa),
]);

export type PublicKey = z.output<typeof publicKeySchema>;

/**
 * A public key of a JWK set (RFC 7517). A private or shared key is refused: it has members this shape does not know.
 */
export const jwkSchema = z
  .discriminatedUnion("kty", [
    z.strictObject({ ...curves.ed25519, ...common }),
    z.discriminatedUnion("crv", [
      z.strictObject({ ...curves.p256, ...common }),
      z.strictObject({ ...curves.p384, ...common }),
    ]),
    z.strictObject({ ...curves.rsa, ...common }),
  ])
  .refine((key) => key.alg === undefined || algorithmsOf(key).includes(key.alg), {
    error: "alg does not match the type of the key",
  });

export type Jwk = z.output<typeof jwkSchema>;
