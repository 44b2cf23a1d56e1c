import { LAUNCH_REGISTER } from "./launch-register.ts";

/**
 * The registers every quote of this project is over: what firmware, boot loader, kernel and the launch measured
 * before the gateway ran. Register 10 is left out: the kernel's file integrity measurement extends it at any time,
 * so its value read and its value quoted need not be the same. The rest from 16 on can be reset by software.
 */
export const QUOTED_REGISTERS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, LAUNCH_REGISTER];
