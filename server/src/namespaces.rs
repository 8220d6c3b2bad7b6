//! Namespaces: who owns which name.
