// Made by build/tracker. The name of the tracker's script below /app/assets, and its hash for the attribute integrity.
export const script = "hp-efe687ad1468.js";
export const integrity = "sha384-7+aHrRRoscJpYVkvyYt2UdHywZgQBjW8yW+E66j774QiqcfjE2cKY4X6t4kEyxpT";
