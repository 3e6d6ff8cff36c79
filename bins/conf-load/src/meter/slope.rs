//! Does something grow? The slope of a line through points, by least squares.

/// Change of the second number for each unit of the first; `None` without two different firsts.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let over: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let under: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_a_point_has_none() {
        let near = |points: &[(f64, f64)], wanted: f64| {
            assert!((slope(points).unwrap() - wanted).abs() < 1e-9);
        };
        near(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)], 2.0);
        near(&[(0.0, 5.0), (1.0, 5.0)], 0.0);
        near(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0)], 0.5);
        assert_eq!(slope(&[(1.0, 2.0)]), None);
        assert_eq!(slope(&[]), None);
    }
}
