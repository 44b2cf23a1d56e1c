import { domainId } from "./jwt/rules.ts";

/** Settings that let any subject call. */
interface AnySubjects {
  readonly jwt: readonly { readonly any_subject?: { readonly prefix: string } | null | undefined }[];
  readonly spiffe?:
    | readonly { readonly trust_domain: string; readonly any_subject?: object | null | undefined }[]
    | null
    | undefined;
}

/** What the names of principals that no configuration lists begin with, each another's. */
export function anySubjectPrefixes({ jwt, spiffe }: AnySubjects): readonly string[] {
  return [
    ...jwt.flatMap(({ any_subject: any }) => (any == null ? [] : [any.prefix])),
    ...(spiffe ?? []).flatMap(({ trust_domain: domain, any_subject: any }) =>
      any == null ? [] : [`${domainId(domain)}/`],
    ),
  ];
}
