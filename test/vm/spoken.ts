/**
 * What firmware and boot stub print before the kernel runs, as it is or as a console file keeps it; the kernel, PID 1
 * and the runtime print none of it.
 */
const BEFORE_KERNEL = /^(?:\p{Cc}|\?|\[[0-9;=]*[A-Za-z])*(?:EFI stub: .*|BdsDxe: .*)?[\s?]*$/u;

/** Lines of a machine's serial port that come from the image. */
export function spoken(lines: readonly string[]): string[] {
  return lines.filter((line) => !BEFORE_KERNEL.test(line));
}
