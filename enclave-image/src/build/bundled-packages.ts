import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CmcpError, schemaProblem } from "@cmcp/boundary";
import { z } from "zod";

/** What `make build` writes beside the scripts it bundles. */
const LIST = "packages.json";

const listSchema = z
  .array(
    z.strictObject({
      name: z.string().regex(/^(@[a-z0-9._-]+\/)?[a-z0-9._-]+$/),
      version: z.string().min(1),
      licence: z.string().min(1),
      /** Of the package as the registry has it; pnpm checked it when it was installed. */
      integrity: z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/),
    }),
  )
  .min(1);

/** A package of the npm registry whose code is in a script of the image. */
export type BundledPackage = z.infer<typeof listSchema>[number];

/** The packages that the bundled enclave in `folder` contains. @throws CmcpError `IMAGE_INPUT_INVALID` */
export function readBundledPackages(folder: string): BundledPackage[] {
  const path = join(folder, LIST);
  let listed: unknown;
  try {
    listed = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CmcpError("IMAGE_INPUT_INVALID", `${path} cannot be read as JSON; run make build`, { cause });
  }
  const result = listSchema.safeParse(listed);
  if (!result.success) throw new CmcpError("IMAGE_INPUT_INVALID", `${path}: ${schemaProblem(result.error).text}`);
  return result.data;
}
