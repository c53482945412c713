// Made by build/tracker. The name of the tracker's script below /app/assets, and its hash for the attribute integrity.
export const script = "hp-61183c5c20d6.js";
export const integrity = "sha384-YRg8XCDWVQH+WnDDJSCw3zxJqO5NiND7DYrcFDgfmOLrBjt1r6cOp1YOdWTLYv4K";
