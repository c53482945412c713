// Made by build/tracker. The name of the tracker's script below /app/assets, and its hash for the attribute integrity.
export const script = "hp-5d179a1b3fdd.js";
export const integrity = "sha384-XReaGz/dM362JXXZT83EsQzpF98qAM9bwALk5sQw9prWwAwhx9LKSyNW4sximTHk";
