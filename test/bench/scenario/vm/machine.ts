import { existsSync } from "node:fs";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { ROOT } from "../../../gateway/deployment.ts";
import { notMeasured, type Row } from "../../report/row.ts";

/** Where `make image` leaves the image. */
export const IMAGE = join(ROOT, "out/image");

/** The rows of a measurement that needs the image and its emulator; the one row that says what of them is not here. */
export async function withImage(what: string, measure: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
  if (!existsSync(join(IMAGE, "manifest.json")))
    return [notMeasured(what, "there is no image in out/image; run make image")];
  try {
    return await measure();
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code === "IMAGE_INPUT_UNAVAILABLE")
      return [notMeasured(what, `QEMU or swtpm cannot be had: ${thrown.message}`)];
    throw thrown;
  }
}
