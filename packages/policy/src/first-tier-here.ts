/** For whoever loads the engine by its imports: the first of them. */
import { stayInFirstTier } from "./first-tier.ts";

stayInFirstTier();
