import * as z from "zod";
import { MAX_SECRETS } from "../limits.ts";

/** The name of a secret that is provisioned. A catalog is measured and published, so no secret has a place in it. */
export const credentialName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,63}$/,
    "must be the name of a provisioned secret: lower case letters, digits, hyphens and underscores",
  );

/** Variables by which a loader, a shell, an interpreter, a TLS library or a proxy setting changes what runs, or whom it speaks to. */
const RESERVED = new RegExp(
  [
    "^(LD|DYLD|GLIBC|MALLOC|LC|NODE|JAVA|JDK|BASH|SSL|OPENSSL|PERL)_",
    "^(PYTHON|PERL5)",
    "_PROXY$",
    "^(PATH|HOME|TMPDIR|TMP|TEMP|LANG|LANGUAGE|LOCPATH|NLSPATH|GCONV_PATH|HOSTALIASES|RES_OPTIONS|LOCALDOMAIN)$",
    "^(ENV|IFS|SHELL|SHELLOPTS|PERLLIB|RUBYOPT|RUBYLIB|GEM_HOME|GEM_PATH|CLASSPATH)$",
  ].join("|"),
);

/** What a variable's name must be. */
const NAME = /^[A-Z_][A-Z0-9_]{0,127}$/;

/** Why a variable cannot hold a secret of a stdio server; `null` if it can. */
export function secretVariableProblem(variable: string): string | null {
  if (!NAME.test(variable))
    return "must be a variable's name: at most 128 capital letters, digits and _, no digit first";
  if (RESERVED.test(variable))
    return "is a variable that changes how programs run; give it in enclave.stdio.servers, where it is measured";
  return null;
}

/** Secrets of a stdio server: names of provisioned credentials, by the variables that have their values. */
export const secrets = z
  .record(z.string(), credentialName)
  .refine((named) => Object.keys(named).length <= MAX_SECRETS, { error: `at most ${MAX_SECRETS} secrets` })
  .superRefine((named, context) => {
    for (const variable of Object.keys(named)) {
      const message = secretVariableProblem(variable);
      if (message !== null) context.addIssue({ code: "custom", path: [variable], message });
    }
  });
