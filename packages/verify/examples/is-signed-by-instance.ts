import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign, webcrypto } from "node:crypto";
import { thumbprintInput } from "@cmcp/appraise";
import { instanceKeyName, parseNote, SIGNATURE_TYPE, signNote, verifierKey } from "@cmcp/log";
import { isSignedByInstance } from "@cmcp/verify";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const { x = "" } = publicKey.export({ format: "jwk" });
const jwk = { kty: "OKP", crv: "Ed25519", x } as const;
const thumbprint = createHash("sha256").update(thumbprintInput(jwk)).digest("base64url");
const key = verifierKey(instanceKeyName(thumbprint), SIGNATURE_TYPE.ed25519, Buffer.from(x, "base64url"));
const root = Buffer.alloc(32).toString("base64");
const note = parseNote(signNote(`log.example/0\n1\n${root}\n`, key, (bytes) => sign(null, bytes, privateKey)));
assert.ok(await isSignedByInstance(webcrypto, note, jwk));
