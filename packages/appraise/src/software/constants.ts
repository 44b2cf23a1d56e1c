/** Measurement of a platform that measures nothing. */
export const SOFTWARE_MEASUREMENT = `sha256:${"0".repeat(64)}`;
/** Firmware text of a platform that is software alone. */
export const SOFTWARE_FIRMWARE = "software-only";
