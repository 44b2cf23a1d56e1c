import * as z from "zod";

// The page's policy allows no code made of text, and zod would try whether it does. This comes before every schema.
z.config({ jitless: true });
