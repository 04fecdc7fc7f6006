#ifndef GRU4REC_TESTS_SUPPORT_CONTAINS_HPP
#define GRU4REC_TESTS_SUPPORT_CONTAINS_HPP

#include <string>

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#endif
