//! Unique ids, spread as real ones are.

/// The canonical UUID number `n`: 36 bytes, lower case.
pub(crate) fn uuid(n: u64) -> String {
    let bits = u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let digits = format!("{bits:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
