//! datasources
