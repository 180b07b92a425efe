export declare function encodePrintable(bytes: Uint8Array): string;
