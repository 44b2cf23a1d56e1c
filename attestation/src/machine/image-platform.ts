import { CmcpError } from "@cmcp/boundary";

const PLATFORMS = ["sev-snp", "tdx", "vtpm", "none"] as const;

/** What an image was started as: the word `cmcp.platform=` of its kernel command line, which is measured. `none` attests nothing. */
export type ImagePlatform = (typeof PLATFORMS)[number];

/** What PID 1 of the image sets for the runtime; a process of a host has neither. */
interface ImageEnvironment {
  readonly CMCP_IMAGE_PLATFORM?: string | undefined;
  readonly CMCP_VSOCK_ADDON?: string | undefined;
}

/**
 * What the image that this process runs in was started as; `null` outside an image.
 * @throws CmcpError `ATTESTATION_PROVIDER_UNSUPPORTED` for an image whose PID 1 does not say it, which must not pass for a process
 */
export function imagePlatformOf({
  CMCP_IMAGE_PLATFORM: name = "",
  CMCP_VSOCK_ADDON: addon = "",
}: ImageEnvironment): ImagePlatform | null {
  if (name === "" && addon === "") return null;
  const platform = PLATFORMS.find((known) => known === name);
  if (platform === undefined)
    throw new CmcpError("ATTESTATION_PROVIDER_UNSUPPORTED", "this image does not say what it was started as");
  return platform;
}
